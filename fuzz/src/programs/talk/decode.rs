//! Parts that talk, from bytes.

use super::super::decode::{Decoder, Place};
use super::super::language::{Kind, Step};
use super::{
    Asked, CHANNELS, Child, First, Hold, IDS, Letter, Peer, TOPICS, Talk, Then, WORKFLOWS,
};

impl Decoder<'_> {
    /// `None`: it is a part as all programs have it.
    pub(in super::super) fn talk(&mut self, place: Place) -> Option<Kind> {
        // Programs start those behind them only, so that this has an end.
        let own = self.talks?;
        let is_leaf = place.depth == 0 || place.cost <= 1;
        if self.is_full && self.below(5) == 0 {
            return Some(self.told(is_leaf, place));
        }
        let opcode = self.below(40);
        let talk = match opcode {
            0..=4 => Talk::Send(self.letter()),
            5 => Talk::Glimpsed(self.letter()),
            6..=8 => Talk::Receive(self.channel()),
            9 => return Some(Kind::Sleep([20, 20_000, 100_000][usize::from(self.below(3))])),
            10 if !is_leaf && self.below(2) == 0 => Talk::Again,
            11 => match self.below(4) {
                0 => Talk::Panic,
                1 => Talk::Exposed,
                _ => return None,
            },
            12..=15 if !is_leaf => {
                let (channel, how, code) = (self.channel(), self.below(4), self.code(place));
                Talk::Hold(Hold { channel, polled: how % 2 == 1, awaited: how / 2 == 1, code })
            }
            16 if !is_leaf => Talk::Shield(self.code(place)),
            17 | 18 if !is_leaf => {
                let lib = super::super::language::Lib::Dacapo;
                let cancelled = self.node(Kind::Talk(Talk::Cancelled));
                let code = self.code(place);
                return Some(match self.below(2) {
                    0 => Kind::Race(lib, cancelled, code),
                    _ => Kind::Race(lib, code, cancelled),
                });
            }
            19..=25 if !is_leaf && own + 1 < WORKFLOWS.len() => self.child(own, place),
            26 | 27 if !is_leaf => {
                let receive = self.channel();
                let receive = self.node(Kind::Talk(Talk::Receive(receive)));
                return Some(Kind::Timeout(
                    [1, 20, 100, 20_000][usize::from(self.below(4))],
                    receive,
                ));
            }
            _ => return None,
        };
        Some(Kind::Talk(talk))
    }

    /// What a part tells those outside.
    fn told(&mut self, is_leaf: bool, place: Place) -> Kind {
        match self.below(8) {
            0..=2 => Kind::Talk(Talk::Publish(self.topic())),
            3 | 4 => {
                let step = self.step();
                match step.body.is_transaction() {
                    // It has no attempt in hand to publish with.
                    true => Kind::Step(step),
                    false => Kind::Step(Step { reports: Some(self.topic()), ..step }),
                }
            }
            how => {
                let code = (how == 7 && !is_leaf).then(|| self.code(place));
                Kind::Talk(Talk::Asked(Asked { code, answered: self.below(3) > 0 }))
            }
        }
    }

    pub(in super::super) fn topic(&mut self) -> usize {
        usize::from(self.below(TOPICS.len() as u8))
    }

    fn child(&mut self, own: usize, place: Place) -> Talk {
        let behind = (WORKFLOWS.len() - own - 1) as u8;
        let workflow = own + 1 + usize::from(self.below(behind));
        let name = self.below(8);
        Talk::Child(Child {
            workflow,
            name: (name < 3).then(|| IDS.len() - 1 - usize::from(name)),
            timeout_ms: [None, None, None, Some(0), Some(20), Some(1_000)]
                [usize::from(self.below(6))],
            first: [First::Nothing, First::Polled, First::Started][usize::from(self.below(3))],
            then: [Then::Awaited, Then::Awaited, Then::Dropped, Then::Detached]
                [usize::from(self.below(4))],
            code: self.code(place),
        })
    }

    fn channel(&mut self) -> usize {
        usize::from(self.below(CHANNELS.len() as u8))
    }

    fn letter(&mut self) -> Letter {
        let to = match self.below(12) {
            named @ 0..=5 => Peer::Named(usize::from(named)),
            6 => Peer::Own,
            7 | 8 => Peer::Parent,
            child => Peer::Child(child - 8),
        };
        Letter { to, channel: self.channel(), key: self.below(3) }
    }
}
