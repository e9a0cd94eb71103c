namespace EventBus;

/// <summary>Another instance has the saga now.</summary>
internal sealed class SagaLeaseLostException : Exception;
