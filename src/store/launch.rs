//! A container that was made through the gate.

use serde_json::Value;

/// Who made a container, and of what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Launch {
    /// The container's full id.
    pub container: String,
    /// The principal that made it.
    pub principal: String,
    /// Id of the record of its create.
    pub record: String,
    /// When it was asked for, as in the record.
    pub time: String,
    /// The image reference it was asked for by.
    pub image: String,
    /// The id of the image that was judged; `None` if the engine did not hold it then.
    pub image_id: Option<String>,
}

impl Launch {
    /// Reads a launch from a record of the journal; `None` if the record is of nothing that was made.
    pub fn from_record(record: &Value) -> Option<Self> {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str);
        let is_create = text("/kind") == Some("call")
            && text("/stage") == Some("outcome")
            && text("/request/operation") == Some("ContainerCreate");
        is_create.then_some(())?;
        Some(Self {
            container: text("/outcome/made")?.to_owned(),
            principal: text("/principal/name")?.to_owned(),
            record: text("/id")?.to_owned(),
            time: text("/time")?.to_owned(),
            image: text("/image/asked").unwrap_or_default().to_owned(),
            image_id: text("/image/id").map(ToOwned::to_owned),
        })
    }
}
