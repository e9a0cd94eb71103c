namespace EventBus.Conformance;

/// <summary>
/// Represents the result of a scenario that did not fail. A failure throws a <see cref="ConformanceException"/>.
/// </summary>
/// <param name="Scenario">The scenario.</param>
/// <param name="SkipReason">
/// The reason why the backend does not support the scenario; null if it ran and passed.
/// </param>
public sealed record ScenarioResult(Scenario Scenario, string? SkipReason)
{
    /// <summary>True if the scenario ran and the backend kept the guarantee.</summary>
    public bool Passed => SkipReason is null;
}
