namespace EventBus;

/// <summary>Signals that another instance has claimed the saga.</summary>
internal sealed class SagaLeaseLostException : Exception;
