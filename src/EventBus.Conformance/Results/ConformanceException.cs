namespace EventBus.Conformance;

/// <summary>Thrown if a backend breaks a guarantee. The message contains the expected and the actual result.</summary>
public sealed class ConformanceException : Exception
{
    internal ConformanceException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Creates an exception that names the backend and the broken guarantee.</summary>
    internal static ConformanceException Of(string backend, Scenario scenario, Exception exception) =>
        new($"{backend} breaks '{scenario.Name}': {scenario.Reason} "
            + $"{(exception is ConformanceException ? exception.Message : $"Happened: {exception.GetType().Name}: {exception.Message}")}",
                exception);
}
