"""Pictures and pages made from results. Apart from `evaluation`, so that that stays pure."""
