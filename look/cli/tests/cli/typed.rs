//! Values of a process whose types show them otherwise than their shapes do, over its socket.

use dacapo::Executor;
use dacapo_control::Control;

use crate::live::Live;
use crate::support::{dacapo, folder};

#[path = "../own/types.rs"]
mod types;

#[test]
fn a_process_shows_values_by_its_types() {
    for rehearses in [true, false] {
        let folder = folder(&format!("typed-{rehearses}"));
        let file = folder.join("orders.redb");
        types::paid(&file).expect("it is made");
        let control = match rehearses {
            true => Control::beside_file(),
            false => Control::beside_file().without_rehearsals(),
        };
        let live = Live::with(&file, control, || types::add(Executor::builder()));
        for (which, typed, by_shape) in types::SHOWN {
            let called = dacapo(&folder, &["value", "pay-1", which]);
            let expected = if rehearses { typed } else { by_shape };
            assert_eq!((called.code, &*called.out), (0, expected), "{which}: {called:?}");
        }
        for args in [&["show", "pay-1", "--values"][..], &["show", "pay-1", "--json"]] {
            let called = dacapo(&folder, args);
            assert_eq!(called.out.contains("key-1"), rehearses, "{called:?}");
            assert!(!called.out.contains("4111"), "{called:?}");
        }
        drop(live);
        let at_rest = dacapo(&folder, &["value", "pay-1", "input"]);
        assert_eq!(at_rest.out, types::SHOWN[0].2, "the program has no types");
    }
}
