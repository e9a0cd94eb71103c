namespace EventBus.Conformance;

/// <summary>Thrown if a backend breaks a guarantee. The message contains the expected and the actual result.</summary>
public sealed class ConformanceException : Exception
{
    internal ConformanceException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Creates the exception of a failed scenario, which names the backend and the broken guarantee.</summary>
    /// <param name="backend">The name of the backend.</param>
    /// <param name="scenario">The scenario.</param>
    /// <param name="exception">The exception that ended the scenario.</param>
    internal static ConformanceException ForGuarantee(string backend, Scenario scenario, Exception exception)
    {
        var happened = exception is ConformanceException
            ? exception.Message
            : $"Happened: {exception.GetType().Name}: {exception.Message}";
        return new ConformanceException($"{backend} breaks '{scenario.Name}': {scenario.Reason} {happened}", exception);
    }
}
