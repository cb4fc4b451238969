//! What the mutation test and the fuzz targets do with any bytes: read them in every way there is, and hold what must
//! hold of whatever could be read.

pub(crate) mod message;
mod session_description;
pub(crate) mod stream;
