namespace EventBus.Conformance;

/// <summary>A backend broke a promise. The message says what was expected and what happened.</summary>
public sealed class ConformanceException : Exception
{
    internal ConformanceException(string message, Exception? innerException = null)
        : base(message, innerException)
    {
    }

    /// <summary>Says which backend broke which promise.</summary>
    internal static ConformanceException Of(string backend, Scenario scenario, Exception exception) =>
        new($"{backend} breaks '{scenario.Name}': {scenario.Reason} {(exception is ConformanceException ? exception.Message : $"Happened: {exception.GetType().Name}: {exception.Message}")}", exception);
}
