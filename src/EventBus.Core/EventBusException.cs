namespace EventBus;

/// <summary>The base class of all exceptions that the bus throws.</summary>
public class EventBusException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">The message: the problem, its effect and its solution.</param>
    /// <param name="innerException">The exception that caused this one; null for none.</param>
    public EventBusException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
