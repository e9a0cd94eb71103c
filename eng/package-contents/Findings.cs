namespace EventBus.Packages;

/// <summary>Collects what a package contains and what is wrong with it.</summary>
internal sealed class Findings
{
    public List<string> Notes { get; } = [];

    public List<string> Errors { get; } = [];

    /// <summary>Adds an error unless the condition holds.</summary>
    public void Expect(bool condition, string error)
    {
        if (!condition)
        {
            Errors.Add(error);
        }
    }
}
