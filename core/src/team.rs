//! (room: team)
