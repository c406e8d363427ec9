//! Holds the gate's decoder against Go's own `encoding/json` on the engine's create struct.
//!
//! Where the gate finds one reading, it is Go's, and what the gate would write in place of the body reads the same in Go.
//! Where it finds several, or none, it sees everything that Go sees, and finds all that a policy finds in Go's reading.
//!
//! `tidewaiter-fuzz PROGRAM COUNT SEED [NUMBER]`, where PROGRAM is the built `fuzz/go`; with NUMBER only that input.

mod engine;
mod inputs;
mod mutate;
mod node;
mod property;
mod random;
mod schema;
mod view;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use engine::Engine;
use inputs::{Input, Inputs};
use property::{Gate, Outcome, Read};

/// Inputs that are decoded at a time.
const BATCH: u64 = 500;

/// Most disagreements that are told.
const MAX_TOLD: u64 = 10;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_disagreements) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("tidewaiter-fuzz: {error}");
            ExitCode::from(2)
        }
    }
}

/// Tells how many disagreements there are.
fn run(arguments: &[String]) -> Result<u64, Box<dyn Error>> {
    let [program, count, seed, only @ ..] = arguments else {
        return Err("usage: tidewaiter-fuzz PROGRAM COUNT SEED [NUMBER]".into());
    };
    let (program, count, seed) = (Path::new(program), count.parse::<u64>()?, seed.parse()?);
    let numbers = match only.first() {
        Some(number) => number.parse()?..number.parse::<u64>()? + 1,
        None => 0..count,
    };
    println!("seed {seed}, inputs {} to {}", numbers.start, numbers.end - 1);
    let inputs = Inputs::new(Engine::schema(program)?, seed)?;
    let gate = Gate::new()?;
    let mut engine = Engine::start(program)?;
    let mut counts = [0_u64; Outcome::ALL.len()];
    let mut disagreements = 0;
    let mut next = numbers.start;
    while next < numbers.end {
        let end = numbers.end.min(next + BATCH);
        let batch: Vec<Input> = (next..end).map(|number| inputs.make(number)).collect();
        next = end;
        let reads: Vec<Read<'_>> = batch.iter().map(|input| gate.read(input)).collect();
        let mut readings = engine.read(reads.iter().flat_map(Read::bodies))?.into_iter();
        for read in &reads {
            let reading = readings.next().ok_or("an answer is missing")?;
            let anew = read.anew.as_ref().and_then(|_| readings.next());
            let (outcome, wrong) = gate.compare(read, reading.as_ref(), anew.as_ref().map(Option::as_ref))?;
            counts[outcome as usize] += 1;
            if !wrong.is_empty() {
                disagreements += 1;
                if disagreements <= MAX_TOLD {
                    println!("\n{read}  {}", wrong.join("\n  "));
                }
            }
        }
    }
    engine.stop()?;
    println!("\n{:>9}  inputs, of which", numbers.end - numbers.start);
    for (outcome, count) in Outcome::ALL.iter().zip(counts) {
        println!("{count:>9}  {}", outcome.words());
    }
    println!("{disagreements:>9}  disagreements");
    Ok(disagreements)
}
