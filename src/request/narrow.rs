//! Narrowing a call to what one principal made, by a label that the gate gives it.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Asked, Operation};

/// The label of what a principal made that sees nothing else.
const LABEL: &str = "io.tidewaiter.principal";

impl Operation {
    /// Whether it lists or removes many things at once, which a label narrows.
    const fn is_narrowed(self) -> bool {
        matches!(
            self,
            Self::ContainerList
                | Self::ContainerPrune
                | Self::ImagePrune
                | Self::NetworkPrune
                | Self::SystemEvents
                | Self::VolumePrune
        )
    }

    /// Whether it makes something that has labels, which those narrow.
    const fn makes_labelled(self) -> bool {
        matches!(self, Self::ContainerCreate | Self::NetworkCreate | Self::VolumeCreate)
    }
}

impl Asked {
    /// Whether it is one that [`Asked::narrowed`] changes.
    pub const fn is_narrowed(&self) -> bool {
        self.operation.is_narrowed()
    }

    /// The same request for what `owner` made only. `None` if its filters cannot be read.
    pub fn narrowed(&self, owner: &str) -> Option<Self> {
        let mut asked = self.clone();
        if asked.operation.is_narrowed() {
            let filters = with_label(asked.query.first("filters").unwrap_or_default(), &format!("{LABEL}={owner}"))?;
            asked.query.set("filters", filters);
        }
        Some(asked)
    }

    /// A canonical body with the label of its owner, where what it makes has labels. `None` if it cannot be read.
    pub fn labelled(&self, body: &[u8], owner: &str) -> Option<Vec<u8>> {
        if !self.operation.makes_labelled() {
            return Some(body.to_vec());
        }
        with_field(body, "Labels", |labels| {
            let mut labels: Map<String, Value> = serde_json::from_str::<Option<_>>(labels).ok()?.unwrap_or_default();
            labels.insert(LABEL.to_owned(), owner.into());
            Some(labels.into())
        })
    }
}

/// A JSON object with another value in one of its fields, made from the one it has, or from `null`.
pub(super) fn with_field(body: &[u8], name: &str, value: impl FnOnce(&str) -> Option<Value>) -> Option<Vec<u8>> {
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let value = value(fields.get(name).map_or("null", |value| value.get()))?;
    fields.insert(name.to_owned(), serde_json::value::to_raw_value(&value).ok()?);
    serde_json::to_vec(&fields).ok()
}

/// The client's filters and one more. The engine reads a list of values, and from old clients an object of them.
fn with_label(filters: &str, label: &str) -> Option<String> {
    let mut filters: Map<String, Value> = if filters.is_empty() {
        Map::new()
    } else {
        serde_json::from_str::<Option<_>>(filters).ok()?.unwrap_or_default()
    };
    // One form for all: the engine reads the object form only if every filter has it.
    let mut lists = Map::new();
    for (name, values) in &mut filters {
        let values = match values.take() {
            Value::Array(values) => values,
            Value::Object(values) => {
                values.into_iter().filter(|(_, set)| set == &Value::Bool(true)).map(|(value, _)| value.into()).collect()
            }
            Value::Null => Vec::new(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
        lists.insert(name.clone(), Value::Array(values));
    }
    if let Value::Array(labels) = lists.entry("label").or_insert_with(|| Value::Array(Vec::new())) {
        labels.push(label.into());
    }
    Some(Value::Object(lists).to_string())
}

#[cfg(test)]
mod tests {
    use super::with_label;

    #[test]
    fn a_label_is_added_to_whatever_filters_there_are() {
        for (filters, narrowed) in [
            ("", Some(r#"{"label":["l=o"]}"#)),
            ("{}", Some(r#"{"label":["l=o"]}"#)),
            ("null", Some(r#"{"label":["l=o"]}"#)),
            (r#"{"status":["running"]}"#, Some(r#"{"label":["l=o"],"status":["running"]}"#)),
            (r#"{"label":["a","b=c"]}"#, Some(r#"{"label":["a","b=c","l=o"]}"#)),
            (r#"{"label":{"a":true,"b":false},"name":{"x":true}}"#, Some(r#"{"label":["a","l=o"],"name":["x"]}"#)),
            (r#"{"label":"a"}"#, None),
            ("[", None),
            ("[]", None),
        ] {
            assert_eq!(with_label(filters, "l=o").as_deref(), narrowed, "{filters}");
        }
    }
}
