use proptest::prelude::*;
use serde_json::{Map, Value};

use super::{asked, decode};
use crate::request::decode::schema::{self, Field, Shape};
use crate::request::decode::service;
use crate::request::{Body, Call, Irregular, Operation};

const JUDGED: [Operation; 11] = [
    Operation::ContainerCreate,
    Operation::ContainerStart,
    Operation::ContainerUpdate,
    Operation::ContainerExec,
    Operation::ExecStart,
    Operation::VolumeCreate,
    Operation::NetworkCreate,
    Operation::NetworkConnect,
    Operation::CheckpointCreate,
    Operation::ServiceCreate,
    Operation::ServiceUpdate,
];

/// A value of a type, or null.
fn of_shape(shape: &'static Shape) -> BoxedStrategy<Value> {
    let some = match shape {
        Shape::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Shape::Int => any::<i64>().prop_map(Value::from).boxed(),
        Shape::Uint => any::<u64>().prop_map(Value::from).boxed(),
        Shape::Uint16 => any::<u16>().prop_map(Value::from).boxed(),
        Shape::Uint32 => any::<u32>().prop_map(Value::from).boxed(),
        Shape::Any | Shape::Text | Shape::Line | Shape::Ascii => "[ -~]{0,8}".prop_map(Value::from).boxed(),
        Shape::Words(element) | Shape::List(element) => {
            let element = of_shape(element).prop_filter("null has two readings", |element| !element.is_null());
            prop::collection::vec(element, 0..3).prop_map(Value::from).boxed()
        }
        Shape::Map(element) => prop::collection::btree_map("[a-zA-Z/]{0,4}", of_shape(element), 0..3)
            .prop_map(|members| members.into_iter().collect())
            .boxed(),
        Shape::Struct(known) => of_struct(known),
    };
    prop_oneof![9 => some, 1 => Just(Value::Null)].boxed()
}

fn of_struct(known: &'static [Field]) -> BoxedStrategy<Value> {
    if known.is_empty() {
        return Just(Value::Object(Map::new())).boxed();
    }
    prop::collection::btree_set(0..known.len(), 0..6.min(known.len()))
        .prop_flat_map(|chosen| {
            let members: Vec<_> =
                chosen.into_iter().map(|at| (spelling(known[at].0), of_shape(&known[at].1))).collect();
            members
        })
        .prop_map(|members| members.into_iter().collect())
        .boxed()
}

/// Any way of writing a field's name.
fn spelling(name: &'static str) -> impl Strategy<Value = String> {
    prop::collection::vec(0..3_u8, name.len()).prop_map(|how| {
        let letters = name.chars().zip(how).map(|(letter, how)| match (how, letter.to_ascii_lowercase()) {
            (1, lower) => lower,
            (2, 's') => '\u{17f}',
            (2, 'k') => '\u{212a}',
            _ => letter,
        });
        letters.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_anew_reads_the_same(
        (operation, body) in prop_oneof![
            (Just(Operation::ContainerCreate), of_struct(schema::CONTAINER_CREATE)),
            (Just(Operation::ServiceCreate), of_struct(service::SPEC)),
        ],
    ) {
        let bytes = serde_json::to_vec(&body).unwrap();
        let asked = asked(operation);
        let first = Call::decode(&asked, &bytes);
        prop_assert!(first.irregularities.iter().all(|odd| odd.kind == Irregular::UnknownField), "{first:?}");

        let written = first.canonical_body().unwrap();
        let second = Call::decode(&asked, &written);
        prop_assert_eq!(format!("{:?}", first.body), format!("{:?}", second.body));
        prop_assert_eq!(&first.irregularities, &second.irregularities);
        prop_assert_eq!(second.canonical_body(), Some(written), "writing is idempotent");
    }

    #[test]
    fn every_spelling_of_a_field_is_that_field(at in 0..schema::HOST_CONFIG.len(), how in any::<u64>()) {
        let name = schema::HOST_CONFIG[at].0;
        let written: String = name.chars().enumerate().map(|(at, letter)| match (how >> (at % 64) & 1, letter) {
            (1, 's' | 'S') => '\u{17f}',
            (1, 'k' | 'K') => '\u{212a}',
            (1, letter) if letter.is_ascii_lowercase() => letter.to_ascii_uppercase(),
            (_, letter) => letter.to_ascii_lowercase(),
        }).collect();
        let body = format!(r#"{{"HostConfig":{{"{written}":null,"{name}":null}}}}"#);
        let odd = decode(Operation::ContainerCreate, body.as_bytes()).irregularities;
        prop_assert_eq!(odd.len(), 1);
        prop_assert_eq!((odd[0].kind, odd[0].field.clone()), (Irregular::Ambiguous, format!("HostConfig.{name}")));
    }

    #[test]
    fn privilege_is_not_hidden_by_what_follows(tail in of_struct(schema::HOST_CONFIG)) {
        let body = format!(r#"{{"HostConfig":{{"Privileged":true}},"HostConfig":{tail}}}"#);
        let Body::ContainerCreate(create) = decode(Operation::ContainerCreate, body.as_bytes()).body else {
            return Err(TestCaseError::fail(body));
        };
        prop_assert!(create.host.privileged);
    }

    #[test]
    fn no_bytes_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..48),
        json in r#"\{("HostConfig"|"Mounts"|"Binds"|[\[\]{}:,]|"[a-z\\u0d8]{0,6}"|null|1|true){0,24}\}"#,
    ) {
        for operation in JUDGED {
            for input in [&bytes[..], json.as_bytes()] {
                let asked = asked(operation);
                let call = Call::decode(&asked, input);
                if let Some(written) = call.canonical_body() {
                    prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&written).is_ok());
                }
            }
        }
    }
}
