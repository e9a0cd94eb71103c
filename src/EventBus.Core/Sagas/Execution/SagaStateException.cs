namespace EventBus;

/// <summary>Signals that a stored state cannot be read.</summary>
internal sealed class SagaStateException(string message, Exception? innerException) : EventBusException(message, innerException);
