//! Types whose form for people is another than the recorded one, a secret, and a workflow that has both.

use std::path::Path;

use dacapo::{Builder, Channel, Ctx, Error, Executor, Result, Secret, Workflow};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Eight bytes, which people see as text.
pub(crate) struct Key(pub(crate) u64);

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> std::result::Result<S::Ok, S::Error> {
        match to.is_human_readable() {
            true => to.collect_str(&format_args!("key-{}", self.0)),
            false => self.0.to_be_bytes().serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> std::result::Result<Self, D::Error> {
        if !from.is_human_readable() {
            return Ok(Self(u64::from_be_bytes(Deserialize::deserialize(from)?)));
        }
        let text = String::deserialize(from)?;
        let number = text.strip_prefix("key-").and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| de::Error::custom("expected key-NUMBER"))
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Card {
    pub(crate) key: Key,
    pub(crate) number: Secret<String>,
}

pub(crate) const PAY: Workflow<Key, Key> = Workflow::new("pay");
pub(crate) const CARDS: Channel<Card> = Channel::new("cards");

pub(crate) fn add(builder: Builder) -> Builder {
    builder.channel(CARDS).workflow(PAY, async |ctx: &Ctx, order: Key| {
        let charge = ctx.step("charge", async || Ok::<_, Error>(Key(2))).await?;
        let number = ctx.step("card", async || Ok::<_, Error>(Secret::new("4111".to_owned())));
        drop(number.await?);
        let card = ctx.receive(CARDS).await;
        Ok::<_, Error>(Key(order.0 + charge.0 + card.key.0))
    })
}

/// A file with one run, which has ended.
pub(crate) fn paid(path: &Path) -> Result<()> {
    let executor = add(Executor::builder()).open(path)?;
    executor.block_on(async {
        let run = executor.start(PAY, "pay-1", Key(1))?;
        let card = Card { key: Key(3), number: Secret::new("4111".into()) };
        executor.send("pay-1", CARDS, card).await?;
        assert_eq!(run.await?.0, 6);
        Ok(())
    })
}

/// What is recorded, with and without its types. What holds a secret is shown by its shape, and hides it.
pub(crate) const SHOWN: [(&str, &str, &str); 5] = [
    ("input", "\"key-1\"\n", "[0,0,0,0,0,0,0,1]\n"),
    ("1", "\"key-2\"\n", "[0,0,0,0,0,0,0,2]\n"),
    ("2", "\"(secret)\"\n", "\"(secret)\"\n"),
    (
        "@1",
        "{\"key\":[0,0,0,0,0,0,0,3],\"number\":\"(secret)\"}\n",
        "{\"key\":[0,0,0,0,0,0,0,3],\"number\":\"(secret)\"}\n",
    ),
    ("output", "\"key-6\"\n", "[0,0,0,0,0,0,0,6]\n"),
];
