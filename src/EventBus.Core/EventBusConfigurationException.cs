namespace EventBus;

/// <summary>The bus cannot start as it was registered. All mistakes that were found are reported together.</summary>
public sealed class EventBusConfigurationException : EventBusException
{
    internal EventBusConfigurationException(IReadOnlyList<string> problems)
        : base(Describe(problems)) => Problems = problems;

    /// <summary>One entry for each mistake: what is wrong, why it matters, and the call that mends it.</summary>
    public IReadOnlyList<string> Problems { get; }

    private static string Describe(IReadOnlyList<string> problems) =>
        problems.Count == 1
            ? $"The event bus cannot start. {problems[0]}"
            : $"The event bus cannot start, for {problems.Count} reasons:{string.Concat(problems.Select((problem, i) => $"{Environment.NewLine}  {i + 1}. {problem}"))}";
}
