use alloc::boxed::Box;
use alloc::string::String;
use core::fmt;

/// What [`Shapes`](crate::Shapes) return when they can: see [`Error`].
pub type Result<T, E = Error> = core::result::Result<T, E>;

/// Why a value cannot be recorded, or cannot be read.
///
/// The message says what is wrong with the value, and how it was recorded. It does not say which
/// value it is: whoever asked knows.
///
/// ```
/// use dacapo_values::Shapes;
///
/// let shapes = Shapes::new();
/// let mut bytes = Vec::new();
/// shapes.encode(&300u16, &mut bytes)?;
/// let error = shapes.decode::<u8>(&bytes).unwrap_err();
/// assert!(error.is_undecodable());
/// assert_eq!(
///     error.to_string(),
///     "invalid value: integer `300`, expected u8; it was recorded as u16"
/// );
/// # Ok::<(), dacapo_values::Error>(())
/// ```
// One word, so that results stay in registers.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<(Kind, String)>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Refused,
    TooLarge,
    Undecodable,
    Damaged,
}

impl Error {
    #[cold]
    fn new(kind: Kind, message: impl fmt::Display) -> Error {
        Error(Box::new((kind, alloc::format!("{message}"))))
    }

    pub(crate) fn refused(message: impl fmt::Display) -> Error {
        Error::new(Kind::Refused, message)
    }

    pub(crate) fn too_large(message: impl fmt::Display) -> Error {
        Error::new(Kind::TooLarge, message)
    }

    pub(crate) fn undecodable(message: impl fmt::Display) -> Error {
        Error::new(Kind::Undecodable, message)
    }

    pub(crate) fn damaged(message: impl fmt::Display) -> Error {
        Error::new(Kind::Damaged, message)
    }

    /// The value cannot be recorded: it fails to be written, is too large or too deep, or cannot be
    /// read back.
    ///
    /// ```
    /// let mut bytes = Vec::new();
    /// let error = dacapo_values::Shapes::new().max_bytes(3).encode(&"four".to_string(), &mut bytes);
    /// assert!(error.unwrap_err().is_refused());
    /// assert_eq!(bytes, [], "and leaves nothing behind");
    /// ```
    pub fn is_refused(&self) -> bool {
        matches!(self.0.0, Kind::Refused | Kind::TooLarge)
    }

    /// The value cannot be recorded since it takes more bytes than the
    /// [limit](crate::Shapes::max_bytes).
    ///
    /// ```
    /// let error = dacapo_values::Shapes::new().max_bytes(3).encode(&"four".to_string(), &mut Vec::new());
    /// assert!(error.unwrap_err().is_too_large());
    /// ```
    pub fn is_too_large(&self) -> bool {
        self.0.0 == Kind::TooLarge
    }

    /// The same error with what to do about it behind its message.
    ///
    /// ```
    /// let error = dacapo_values::Shapes::new().max_bytes(3).encode(&"four".to_string(), &mut Vec::new());
    /// let error = error.unwrap_err().advise("raise the limit");
    /// assert!(error.to_string().ends_with("at most 3 can be recorded: raise the limit"));
    /// ```
    #[must_use]
    pub fn advise(self, advice: impl fmt::Display) -> Error {
        let (kind, message) = *self.0;
        Error::new(kind, format_args!("{message}: {advice}"))
    }

    /// The value is sound, and the type that is asked for is not the one that was recorded, nor one
    /// that it may have become.
    ///
    /// ```
    /// let error = dacapo_values::Shapes::new().decode::<bool>(&[2]).unwrap_err();
    /// assert!(error.is_undecodable());
    /// ```
    pub fn is_undecodable(&self) -> bool {
        self.0.0 == Kind::Undecodable
    }

    /// The bytes are not what was written, or their shape is missing.
    ///
    /// ```
    /// let error = dacapo_values::Shapes::new().decode::<bool>(&[39]).unwrap_err();
    /// assert!(error.is_damaged());
    /// assert_eq!(error.to_string(), "the file holds no shape 7");
    /// ```
    pub fn is_damaged(&self) -> bool {
        self.0.0 == Kind::Damaged
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.1)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.0.0, self.0.1)
    }
}

impl core::error::Error for Error {}

impl serde::ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Error {
        Error::refused(message)
    }
}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Error {
        Error::undecodable(message)
    }
}
