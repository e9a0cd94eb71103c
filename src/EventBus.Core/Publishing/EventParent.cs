namespace EventBus;

/// <summary>
/// Contains the values that an event gets from its origin: from the event whose handler publishes it, or from the saga
/// that publishes it.
/// </summary>
/// <param name="DerivedId">The id of the event, unless the options contain one.</param>
/// <param name="CorrelationId">The correlation id, unless the options contain one.</param>
/// <param name="CausationId">The id of the event being handled; null for a saga.</param>
/// <param name="SagaId">The id of the saga, which is the key of last resort; null for a handler.</param>
internal readonly record struct EventParent(Guid DerivedId, string CorrelationId, string? CausationId, string? SagaId);
