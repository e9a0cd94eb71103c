namespace EventBus;

/// <summary>The base of every exception that the bus itself throws.</summary>
public class EventBusException : Exception
{
    /// <summary>Creates the exception.</summary>
    /// <param name="message">What happened, why it matters, and what to do.</param>
    /// <param name="innerException">The cause, if another exception was it.</param>
    public EventBusException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }
}
