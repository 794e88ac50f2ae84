//! (room: model_file)
