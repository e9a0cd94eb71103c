namespace EventBus;

/// <summary>
/// The exception that is thrown when the bus cannot start with its configuration. It reports all mistakes together.
/// </summary>
public sealed class EventBusConfigurationException : EventBusException
{
    /// <summary>Creates the exception, for instance in a test of code that handles it.</summary>
    /// <param name="problems">The mistakes, at least one.</param>
    public EventBusConfigurationException(IReadOnlyList<string> problems)
        : base(Describe(problems)) => Problems = problems;

    /// <summary>The mistakes. Each entry says what is wrong, why it matters, and which call fixes it.</summary>
    public IReadOnlyList<string> Problems { get; }

    private static string Describe(IReadOnlyList<string> problems)
    {
        ArgumentNullException.ThrowIfNull(problems);
        if (problems.Count == 1)
        {
            return $"The event bus cannot start. {problems[0]}";
        }

        var lines = problems.Select((problem, i) => $"{Environment.NewLine}  {i + 1}. {problem}");
        return $"The event bus cannot start, for {problems.Count} reasons:{string.Concat(lines)}";
    }
}
