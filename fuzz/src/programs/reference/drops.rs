//! What happens when a part is dropped: the innermost goes first.

use super::Model;
use super::poll::{Part, State};

impl Model {
    pub(super) fn drop_part(&mut self, part: Part) {
        match part.state {
            State::Code(..) | State::Lazy(..) | State::Yielded(_) | State::Ended => {}
            State::Operation(number, _) | State::Sent(number, _) | State::Received(number) => {
                self.forget(number);
            }
            State::Talking(talking) => self.drop_talking(talking),
            State::Group(group) => {
                group.into_parts().into_iter().for_each(|part| self.drop_part(part));
            }
            State::Seq { part, .. } => {
                part.into_iter().for_each(|part| self.drop_part(*part));
            }
            State::Inner(part) => self.drop_part(*part),
            State::Await(task) => self.cancel(task),
            State::Spawned { task, meanwhile, .. } => {
                meanwhile.into_iter().for_each(|part| self.drop_part(*part));
                self.cancel(task);
            }
            State::Loop(turns) => {
                turns.then.into_iter().for_each(|part| self.drop_part(*part));
                self.drop_set(turns.set);
            }
            State::Produce(produce) => {
                produce.part.into_iter().for_each(|part| self.drop_part(*part));
                self.close(produce.channel);
            }
            State::Consume { part, .. } => {
                part.into_iter().for_each(|part| self.drop_part(*part));
            }
            State::Give(channel, part) => {
                self.drop_part(*part);
                self.close(channel);
            }
            State::Take { channel, .. } => self.drop_only_receiver(channel),
            State::Waiting { lock, key, .. } => {
                key.into_iter().for_each(|key| self.stop_waiting(lock, key));
            }
            State::Holding { lock, part, .. } => {
                self.drop_part(*part);
                self.unlock(lock);
            }
        }
    }
}
