//! Where inputs come from: bodies by the engine's struct, made odd, and the bodies of the project's own cases.

use std::error::Error;

use serde::Deserialize;

use crate::mutate;
use crate::random::Random;
use crate::schema::Shape;

/// One body.
#[derive(Debug)]
pub struct Input {
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
    shape: Shape,
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
    pub fn new(shape: Shape, seed: u64) -> Result<Self, Box<dyn Error>> {
        let cases: Vec<Case> = serde_json::from_str(CASES)?;
        let creates = cases.iter().filter(|case| case.bytes.contains("/containers/create"));
        let bodies = creates.filter_map(|case| case.bytes.split_once("\r\n\r\n"));
        let cases: Vec<Vec<u8>> = bodies
            .map(|(_head, body)| body.chars().filter_map(|byte| u8::try_from(u32::from(byte)).ok()).collect())
            .filter(|body: &Vec<u8>| body.len() < 16 * 1024)
            .collect();
        if cases.len() < 50 { Err("too few cases".into()) } else { Ok(Self { shape, seed, cases }) }
    }

    /// The input of a number.
    pub fn make(&self, number: u64) -> Input {
        let random = &mut Random::new(self.seed, number);
        let kind = random.below(100);
        if kind < 15 {
            let mut bytes = self.cases[random.below(self.cases.len())].clone();
            mutate::bytes(&mut bytes, random);
            return Input { number, bytes, is_plain: false };
        }
        let is_plain = kind < 35;
        let flat = !is_plain && random.percent(25);
        let mut body = self.shape.body(flat, random);
        if kind >= 45 {
            let donor = self.shape.body(flat, random);
            for _ in 0..=random.below(4) {
                mutate::body(&mut body, &donor, random);
            }
        }
        let mut bytes = Vec::new();
        let plain_spelling = random.percent(50);
        body.write(plain_spelling, random, &mut bytes);
        if kind >= 90 {
            mutate::bytes(&mut bytes, random);
        }
        Input { number, bytes, is_plain }
    }
}
