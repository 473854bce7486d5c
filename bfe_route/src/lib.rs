//! Host, vip and route tables of the BFE load balancer.
