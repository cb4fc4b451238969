//! What setting up and ending one call costs the signalling core, without sockets and RTP: the switch, the user agent
//! and the worker's part in it.

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use tandem_benches::call_setup::{Core, Treatment};

fn call_setup(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("call");
    for (name, treatment) in [("answered", Treatment::Answer), ("bridged", Treatment::Bridge)] {
        let mut core = Core::new(treatment, 1_000);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let call = core.call();
                core.hang_up(&call);
                // 300 calls a second: what SIP keeps of earlier calls is part of the price.
                core.wait(Duration::from_micros(3_333));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, call_setup);
criterion_main!(benches);
