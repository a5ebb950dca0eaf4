//! The people around an order: a clerk who approves, a customer who may cancel. They are clients, as
//! anybody is who has the executor, and know of an order what it publishes.

use dacapo::{Executor, Result};
use futures::StreamExt;

use crate::orders::{Answer, Order};
use crate::workflow::{APPROVAL, Approval, STATUS, Status};

/// Answers when the order awaits it. After a restart they do it once more: the message has a key, and
/// an order is cancelled once.
pub(crate) async fn attend(executor: &Executor, order: &Order) -> Result<()> {
    let mut news = executor.follow(&order.id, STATUS, 0);
    while let Some(news) = news.next().await {
        let (_offset, status) = news?;
        if status == Status::AwaitsApproval {
            return answer(executor, order).await;
        }
    }
    Ok(())
}

async fn answer(executor: &Executor, order: &Order) -> Result<()> {
    let approval = match &order.approval {
        Answer::Granted => Approval::Granted,
        Answer::Denied(reason) => Approval::Denied { reason: reason.clone() },
        Answer::Cancelled => return executor.cancel(&order.id).await,
        Answer::Nobody => return Ok(()),
    };
    match executor.send(&order.id, APPROVAL, approval).key("desk").await {
        Err(error) if error.is_ended() => Ok(()), // It was answered before.
        sent => sent,
    }
}
