//! The contact centre: flows, queues, agents; pure.
