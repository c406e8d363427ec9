//! Where inputs come from: bodies by the engine's structs, made odd, and the bodies of the project's own cases.

use std::error::Error;

use serde::Deserialize;

use crate::mutate;
use crate::random::Random;
use crate::schema::Shape;

/// The judged bodies, in the order of the Go program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Create,
    Start,
    Update,
    Exec,
    ExecStart,
    Volume,
    Network,
    Connect,
    Disconnect,
    Checkpoint,
    Service,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Create,
        Self::Start,
        Self::Update,
        Self::Exec,
        Self::ExecStart,
        Self::Volume,
        Self::Network,
        Self::Connect,
        Self::Disconnect,
        Self::Checkpoint,
        Self::Service,
    ];

    /// Where it is sent.
    pub fn target(self) -> &'static str {
        match self {
            Self::Create => "/v1.41/containers/create",
            // Later versions have none.
            Self::Start => "/v1.23/containers/x/start",
            Self::Update => "/v1.41/containers/x/update",
            Self::Exec => "/v1.41/containers/x/exec",
            Self::ExecStart => "/v1.41/exec/x/start",
            Self::Volume => "/v1.41/volumes/create",
            Self::Network => "/v1.41/networks/create",
            Self::Connect => "/v1.41/networks/x/connect",
            Self::Disconnect => "/v1.41/networks/x/disconnect",
            Self::Checkpoint => "/v1.41/containers/x/checkpoints",
            Self::Service => "/v1.41/services/create",
        }
    }
}

/// One body.
#[derive(Debug)]
pub struct Input {
    /// Of which kind.
    pub kind: Kind,
    /// By which it is made again.
    pub number: u64,
    /// The body.
    pub bytes: Vec<u8>,
    /// Whether nothing at all is odd about it but the spelling.
    pub is_plain: bool,
}

/// Makes inputs.
#[derive(Debug)]
pub struct Inputs {
    shapes: Vec<Shape>,
    seed: u64,
    cases: Vec<Vec<u8>>,
}

/// Requests that were seen to make a difference, as bytes in Latin-1.
const CASES: &str = include_str!("../../tests/data/cases.json");

#[derive(Deserialize)]
struct Case {
    bytes: String,
}

impl Inputs {
    /// Those of one seed.
    pub fn new(shapes: Vec<Shape>, seed: u64) -> Result<Self, Box<dyn Error>> {
        let cases: Vec<Case> = serde_json::from_str(CASES)?;
        let creates = cases.iter().filter(|case| case.bytes.contains("/containers/create"));
        let bodies = creates.filter_map(|case| case.bytes.split_once("\r\n\r\n"));
        let cases: Vec<Vec<u8>> = bodies
            .map(|(_head, body)| body.chars().filter_map(|byte| u8::try_from(u32::from(byte)).ok()).collect())
            .filter(|body: &Vec<u8>| body.len() < 16 * 1024)
            .collect();
        if cases.len() < 50 || shapes.len() != Kind::ALL.len() {
            return Err("too few cases, or not these shapes".into());
        }
        Ok(Self { shapes, seed, cases })
    }

    /// The input of a number.
    pub fn make(&self, number: u64) -> Input {
        let random = &mut Random::new(self.seed, number);
        let how = random.below(100);
        if how < 12 {
            let mut bytes = self.cases[random.below(self.cases.len())].clone();
            mutate::bytes(&mut bytes, random);
            return Input { kind: Kind::Create, number, bytes, is_plain: false };
        }
        let kind = match random.below(100) {
            0..70 => Kind::Create,
            70..80 => Kind::Service,
            _other => Kind::ALL[random.below(Kind::ALL.len())],
        };
        let shape = &self.shapes[kind as usize];
        let is_plain = how < 32;
        let flat = kind == Kind::Start || !is_plain && random.percent(25);
        let mut body = shape.body(flat, random);
        if how >= 42 {
            let donor = shape.body(flat, random);
            for _ in 0..=random.below(4) {
                mutate::body(&mut body, &donor, random);
            }
        }
        let mut bytes = Vec::new();
        let plain_spelling = random.percent(50);
        body.write(plain_spelling, random, &mut bytes);
        if how >= 90 {
            mutate::bytes(&mut bytes, random);
        }
        Input { kind, number, bytes, is_plain }
    }
}
