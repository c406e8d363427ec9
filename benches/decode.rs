//! What it costs to read a create body. Goals: 4 µs at 4 KiB and 40 µs at 64 KiB for the JSON alone.

#![expect(clippy::unwrap_used, reason = "a bench")]

mod create;

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tidewaiter::request::decode::{Document, Limits};
use tidewaiter::request::{Asked, Call, Irregular, Irregularity, Operation};

use create::create_body;

fn decode(c: &mut Criterion) {
    let mut asked =
        Asked::unreadable(Irregularity { kind: Irregular::Path, field: String::new(), detail: String::new() });
    asked.operation = Operation::ContainerCreate;
    for (name, size) in [("4KiB", 4 << 10), ("64KiB", 64 << 10)] {
        let body = create_body(size);
        let mut group = c.benchmark_group(name);
        group.throughput(Throughput::Bytes(body.len() as u64));
        group.bench_function("json", |b| b.iter(|| Document::read(black_box(&body), Limits::default())));
        group.bench_function("call", |b| b.iter(|| Call::decode(&asked, black_box(&body)).irregularities.len()));
        let call = Call::decode(&asked, &body);
        assert!(call.irregularities.is_empty());
        group.bench_function("write", |b| b.iter(|| black_box(&call).canonical_body()));
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
