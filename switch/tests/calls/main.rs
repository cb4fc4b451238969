//! The switch with the real user agent and the real media worker, and phones that are not ours, in virtual time:
//! who hears whom, who is told what, and that nothing is left.

mod declined;
mod first_call;
mod gone_while_ringing;
mod many_calls;
mod node;
mod script;
mod world;
