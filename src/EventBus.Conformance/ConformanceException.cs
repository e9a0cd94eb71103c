namespace EventBus.Conformance;

/// <summary>A backend broke a promise. The message says what was expected and what happened.</summary>
public sealed class ConformanceException : Exception
{
    internal ConformanceException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
