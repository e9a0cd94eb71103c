namespace EventBus;

/// <summary>Completes the success of a handler, within the scope of the delivery.</summary>
/// <param name="handling">The state of the handler's context; null when it has none.</param>
internal delegate Task<Failure?> Commit(DeliveryState? handling);
