namespace EventBus.Proof;

/// <summary>The effects of a job on its handler.</summary>
internal enum JobKind
{
    /// <summary>The job is handled.</summary>
    Good,

    /// <summary>Its first start fails, and the next succeeds: an innocent that stands among the failed ones.</summary>
    Flaky,

    /// <summary>Its handler throws, whenever it is started.</summary>
    Poison,

    /// <summary>The job ends its process at every attempt.</summary>
    Deadly,
}
