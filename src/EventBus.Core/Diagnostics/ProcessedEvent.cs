namespace EventBus;

/// <summary>The values of one run of a handler that its span and its metrics show.</summary>
internal readonly record struct ProcessedEvent(string EventName, string EventId, string CorrelationId, string Subscription, int Attempt);
