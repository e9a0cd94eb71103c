namespace EventBus.Conformance;

/// <summary>What became of a scenario that did not fail: a failure is a <see cref="ConformanceException"/>.</summary>
/// <param name="Scenario">The scenario.</param>
/// <param name="SkipReason">Why the backend is ruled out; null when the scenario ran and passed.</param>
public sealed record ScenarioResult(Scenario Scenario, string? SkipReason)
{
    /// <summary>It ran, and the backend kept the promise.</summary>
    public bool Passed => SkipReason is null;
}
