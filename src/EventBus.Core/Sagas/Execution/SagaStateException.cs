namespace EventBus;

/// <summary>The state cannot be made of what is stored.</summary>
internal sealed class SagaStateException(string message, Exception? innerException) : EventBusException(message, innerException);
