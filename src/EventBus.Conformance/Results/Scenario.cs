namespace EventBus.Conformance;

/// <summary>Represents a guarantee of the library, which a suite tests against a backend.</summary>
public sealed record Scenario
{
    internal Scenario(string name, string reason, bool exclusive)
    {
        Name = name;
        Reason = reason;
        Exclusive = exclusive;
    }

    /// <summary>The name of the scenario in kebab case, stable across versions.</summary>
    public string Name { get; }

    /// <summary>The guarantee that the scenario tests, and why it matters to users, in one sentence.</summary>
    public string Reason { get; }

    /// <summary>
    /// True if the scenario affects every user of the server, so that no other scenario of the same backend instance
    /// may run at the same time.
    /// </summary>
    public bool Exclusive { get; }

    /// <summary>Returns the name of the scenario.</summary>
    public override string ToString() => Name;
}
