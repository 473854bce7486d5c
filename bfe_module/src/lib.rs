//! Callback points, handler lists and the module registry of the BFE load balancer.
