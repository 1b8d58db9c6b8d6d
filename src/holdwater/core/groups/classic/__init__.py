"""Groups of the classic protocol: members join and sync in generations, and one of them shares out the partitions."""
