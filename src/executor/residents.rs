//! The runs in memory, and how they are found.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::rc::Rc;
use core::borrow::Borrow;
use core::cell::{Cell, RefCell};
use core::cmp::Ordering;

use dacapo_store::RunKey;
use slab::Slab;

use super::handle::Watch;
use crate::error::Result;
use crate::instance::Instance;
use crate::record::Outcome;
use crate::run::Run;

/// A run in memory, and those who wait for it.
pub(super) struct Resident {
    pub(super) run: Run,
    /// `None` while nobody waits.
    watch: Cell<Option<Rc<Watch>>>,
    /// Whether it may leave memory.
    pub(super) asleep: Cell<bool>,
}

impl Resident {
    pub(super) fn new(run: Run) -> Rc<Self> {
        Rc::new(Self { run, watch: Cell::default(), asleep: Cell::default() })
    }

    /// Where to wait for the run.
    pub(super) fn watch(&self) -> Rc<Watch> {
        let watch = self.watch.take().unwrap_or_else(|| {
            let watch = Rc::<Watch>::default();
            if self.run.instance.delivered.get() > 0 {
                watch.accept();
            }
            watch
        });
        self.watch.set(Some(watch.clone()));
        watch
    }

    /// Has those who wait already wait for this.
    pub(super) fn set_watch(&self, watch: Option<Rc<Watch>>) {
        self.watch.set(watch);
    }

    /// Where somebody waits, if somebody does.
    pub(super) fn take_watch(&self) -> Option<Rc<Watch>> {
        self.watch.take().filter(|watch| Rc::strong_count(watch) > 1)
    }

    /// The start is committed. A run that nobody waits for needs no place to wait at.
    pub(super) fn accept(&self) {
        let held = self.watch.take();
        if let Some(watch) = held {
            watch.accept();
            self.watch.set(Some(watch).filter(|watch| Rc::strong_count(watch) > 1));
        }
    }

    /// Ends the wait of all who wait.
    pub(super) fn end(&self, ended: Result<Outcome<'static>>) {
        if let Some(watch) = self.watch.take() {
            watch.end(ended);
        }
    }
}

/// All runs in memory; parked and ended ones until that is committed.
#[derive(Default)]
pub(super) struct Residents {
    slots: RefCell<Slab<Rc<Resident>>>,
    by_key: RefCell<BTreeMap<RunKey, u32>>,
    by_id: RefCell<BTreeSet<ById>>,
}

/// A run in the order of the ids, which its instance has.
struct ById(Rc<Resident>);

impl Borrow<str> for ById {
    fn borrow(&self) -> &str {
        &self.0.run.instance.id
    }
}

impl Ord for ById {
    fn cmp(&self, other: &Self) -> Ordering {
        Borrow::<str>::borrow(self).cmp(other.borrow())
    }
}

impl PartialOrd for ById {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ById {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ById {}

impl Residents {
    pub(super) fn add(&self, resident: &Rc<Resident>) {
        let instance = &resident.run.instance;
        let slot = self.slots.borrow_mut().insert(resident.clone());
        let slot = u32::try_from(slot).expect("fewer than 2^32 runs fit into memory");
        instance.slot.set(slot);
        self.by_key.borrow_mut().insert(instance.key, slot);
        self.by_id.borrow_mut().insert(ById(resident.clone()));
    }

    pub(super) fn remove(&self, resident: &Resident) {
        let instance = &resident.run.instance;
        self.by_key.borrow_mut().remove(&instance.key);
        self.by_id.borrow_mut().remove(&*instance.id);
        let _removed = self.slots.borrow_mut().try_remove(instance.slot.get() as usize);
    }

    /// The run of which this is the instance.
    pub(super) fn of(&self, instance: &Rc<Instance>) -> Option<Rc<Resident>> {
        let slots = self.slots.borrow();
        let resident = slots.get(instance.slot.get() as usize);
        resident.filter(|resident| Rc::ptr_eq(&resident.run.instance, instance)).cloned()
    }

    pub(super) fn with_key(&self, key: RunKey) -> Option<Rc<Resident>> {
        let slot = *self.by_key.borrow().get(&key)?;
        self.slots.borrow().get(slot as usize).cloned()
    }

    pub(super) fn with_id(&self, id: &str) -> Option<Rc<Resident>> {
        self.by_id.borrow().get(id).map(|resident| resident.0.clone())
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.borrow().len()
    }

    /// Takes all, in the order of their keys.
    pub(super) fn take(&self) -> impl Iterator<Item = Rc<Resident>> + use<> {
        let mut slots = self.slots.take();
        self.by_id.take();
        self.by_key.take().into_values().filter_map(move |slot| slots.try_remove(slot as usize))
    }
}
