namespace EventBus;

/// <summary>What belongs to a handler's success, done in the scope of the delivery.</summary>
/// <param name="handling">What the handler made of its context; null for nothing.</param>
internal delegate Task<Failure?> Commit(DeliveryState? handling);
