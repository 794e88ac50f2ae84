//! What a run has written, read back.

use serde_json::Value;

use crate::room::Room;

impl Room {
    /// The epochs of a history.
    pub(crate) fn history(&self, name: &str) -> Vec<Value> {
        let text = self.read(name);
        let epochs = text.lines().map(serde_json::from_str);
        epochs.map(|epoch| epoch.expect("JSON")).collect()
    }

    /// What a model remembers of its training.
    pub(crate) fn record(&self, model: &str) -> Value {
        self.json(&format!("inspect {model} --json"))["record"].clone()
    }

    /// The weights of a model, without its header, which tells of the settings too.
    pub(crate) fn weights(&self, model: &str) -> Vec<u8> {
        let bytes = std::fs::read(self.path(model)).expect("a model");
        let header = u64::from_le_bytes(*bytes.first_chunk().expect("a length"));
        bytes[8 + header as usize..].to_vec()
    }
}
