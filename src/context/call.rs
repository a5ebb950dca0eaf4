//! Steps whose body is a function with its arguments.

use core::future::Future;

use super::Ctx;
use super::body::Job;
use super::step::Step;
use crate::error::{BoxError, Result};
use crate::values::Value;

/// A function that [`Ctx::call`] calls with arguments `A`: one as it is, two to six as a tuple.
///
/// Implemented for every `async fn` and `async` closure whose last attempt gives a
/// [`Value`](crate::Value) or an error; there is nothing to write. `M` tells the compiler how many
/// arguments there are, and is found by it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the function of a step with arguments `{A}`",
    label = "not an async function of these arguments",
    note = "it is an `async fn` that returns a `Result` of a `dacapo::Value`, with an error that \
            converts into `dacapo::BoxError`",
    note = "it takes one argument as it is, or two to six, which are given as a tuple; all are \
            owned, so clone what it needs: `ctx.call(\"name\", function, (a.clone(), b))`",
    note = "without arguments: `ctx.step(\"name\", function)`"
)]
pub trait Body<M, A>: sealed::Sealed<M, A> {
    /// What it returns when all is well.
    type Output;
    /// What it fails with.
    type Error;

    #[doc(hidden)]
    fn attempt(&self, arguments: A) -> impl Future<Output = Result<Self::Output, Self::Error>>;
}

mod sealed {
    pub trait Sealed<M, A> {}
}

/// The function takes its argument as it is.
#[doc(hidden)]
pub struct One;

/// The function takes so many arguments, which are given as a tuple.
#[doc(hidden)]
pub struct Many<const N: usize>;

impl<F, A, T, E> sealed::Sealed<One, A> for F where F: AsyncFn(A) -> Result<T, E> {}

impl<F, A, T, E> Body<One, A> for F
where
    F: AsyncFn(A) -> Result<T, E>,
{
    type Output = T;
    type Error = E;

    fn attempt(&self, argument: A) -> impl Future<Output = Result<T, E>> {
        self(argument)
    }
}

macro_rules! take_tuples {
    ($($count:literal: $($name:ident)*;)*) => {$(
        impl<F, T, E, $($name),*> sealed::Sealed<Many<$count>, ($($name,)*)> for F where
            F: AsyncFn($($name),*) -> Result<T, E>
        {
        }

        impl<F, T, E, $($name),*> Body<Many<$count>, ($($name,)*)> for F
        where
            F: AsyncFn($($name),*) -> Result<T, E>,
        {
            type Output = T;
            type Error = E;

            #[allow(non_snake_case)]
            fn attempt(&self, ($($name,)*): ($($name,)*)) -> impl Future<Output = Result<T, E>> {
                self($($name),*)
            }
        }
    )*};
}

take_tuples! {
    2: A B;
    3: A B C;
    4: A B C D;
    5: A B C D G;
    6: A B C D G H;
}

impl Ctx {
    /// A step that calls `function` with `arguments`: one as it is, two to six as a tuple.
    ///
    /// The arguments are cloned for each attempt, so nothing needs a closure, nor a `clone` of its own
    /// for one: this is the shortest way to a body that owns what it uses. What is shared, such as a
    /// client, goes in as an `Rc`. A body that wants to know its [`Attempt`](super::Attempt) is a closure:
    /// see [`step_with`](Self::step_with). Everything else is as with [`step`](Self::step).
    ///
    /// A replay compares the name of the step, and not its arguments: those need not be values that can be
    /// recorded, as the client is none. `.of(&arguments)`, or the part of them that says it, is how a call says what it
    /// is about ([`Step::of`]): with it two calls of one name that change places are found, and their run is parked.
    /// So it belongs to calls in a loop and under a lock.
    ///
    /// ```
    /// # use dacapo::{Ctx, Error, Executor, Result, Workflow, store::MemoryStore, try_join_all};
    /// # async fn count(item: String, at: u32) -> Result<u32> {
    /// #     Ok(at + item.len() as u32)
    /// # }
    /// const COUNT: Workflow<Vec<String>, u32> = Workflow::new("count");
    ///
    /// async fn count_all(ctx: &Ctx, items: Vec<String>) -> Result<u32> {
    ///     let steps = items.into_iter().map(|item| {
    ///         let arguments = (item, 7);
    ///         ctx.call("count", count, arguments.clone()).of(&arguments)
    ///     });
    ///     Ok(try_join_all(steps).await?.iter().sum())
    /// }
    ///
    /// let store = MemoryStore::new();
    /// let executor = Executor::builder().workflow(COUNT, count_all).open_with(store.shared())?;
    /// let items = vec!["tea".to_owned(), "cup".to_owned()];
    /// assert_eq!(executor.block_on(executor.start(COUNT, "order-1", items)?)?, 20);
    /// executor.verify("order-1")?;
    /// drop(executor);
    ///
    /// // A build that goes through them in another order.
    /// let backwards = async |ctx: &Ctx, items: Vec<String>| -> Result<u32> {
    ///     count_all(ctx, items.into_iter().rev().collect()).await
    /// };
    /// let executor = Executor::builder().workflow(COUNT, backwards).open_with(store)?;
    /// let error = executor.verify("order-1").unwrap_err();
    /// assert!(error.to_string().contains("diverge"), "{error}");
    /// # Ok::<(), Error>(())
    /// ```
    ///
    /// ```
    /// use std::rc::Rc;
    ///
    /// use dacapo::{Ctx, Error, Executor, Result, Workflow};
    ///
    /// struct Shop {
    ///     currency: &'static str,
    /// }
    ///
    /// async fn price(shop: Rc<Shop>, item: String, count: u64) -> Result<String> {
    ///     Ok(format!("{count} {item} cost {} {}", 3 * count, shop.currency))
    /// }
    ///
    /// async fn mail(text: String) -> Result<usize> {
    ///     Ok(text.len())
    /// }
    ///
    /// const OFFER: Workflow<String, usize> = Workflow::new("offer");
    ///
    /// async fn offer(ctx: &Ctx, shop: &Rc<Shop>, item: String) -> Result<usize> {
    ///     let text = ctx.call("price", price, (shop.clone(), item, 4)).await?;
    ///     ctx.call("mail", mail, text).await
    /// }
    ///
    /// let shop = Rc::new(Shop { currency: "EUR" });
    /// let executor = Executor::builder()
    ///     .workflow(OFFER, async move |ctx: &Ctx, item| offer(ctx, &shop, item).await)
    ///     .in_memory();
    /// let run = executor.start(OFFER, "offer-1", "cups".into())?;
    /// assert_eq!(executor.block_on(run)?, "4 cups cost 12 EUR".len());
    /// # Ok::<(), Error>(())
    /// ```
    #[track_caller]
    pub fn call<A, M, F>(&self, name: &'static str, function: F, arguments: A) -> Step<F::Output>
    where
        A: Clone + 'static, // clone what is borrowed: the step owns them
        F: Body<M, A> + 'static,
        F::Output: Value,
        F::Error: Into<BoxError> + 'static,
    {
        self.build_step(name, async move |_: &Job, _: u32| {
            function.attempt(arguments.clone()).await
        })
    }
}
