namespace EventBus.Proof;

/// <summary>The behavior of a job.</summary>
internal enum JobKind
{
    /// <summary>The job is handled.</summary>
    Good,

    /// <summary>Its first attempt fails and the next one succeeds: a harmless event among the failed ones.</summary>
    Flaky,

    /// <summary>Its handler throws in each attempt.</summary>
    Poison,

    /// <summary>Its handler ends the process in each attempt.</summary>
    Deadly,
}
