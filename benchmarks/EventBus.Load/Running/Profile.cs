namespace EventBus.Load;

/// <summary>The processor time of a contender, by the code that was running.</summary>
/// <param name="Arena">The arena.</param>
/// <param name="Mode">The mode.</param>
/// <param name="Contender">The name of the contender.</param>
/// <param name="Cpu">The processor time of an event, in microseconds.</param>
/// <param name="Method">How it was found.</param>
/// <param name="Areas">The share of each area, the largest first.</param>
/// <param name="Methods">The share of the methods with the largest; empty if only areas are known.</param>
internal sealed record Profile(
    Arena Arena,
    Mode Mode,
    string Contender,
    double Cpu,
    string Method,
    IReadOnlyList<ProfileShare> Areas,
    IReadOnlyList<ProfileShare> Methods)
{
    public void Print()
    {
        Console.WriteLine($"    profile of {Contender}, {Titles.Of(Mode)}, by {Method}: {Cpu:0.00} us an event");
        foreach (var share in Areas.Concat(Methods))
        {
            Console.WriteLine($"      {share.Part * Cpu,8:0.00} us {share.Part,6:0.0%}  {share.Name}");
        }
    }
}

/// <param name="Name">The area or the method.</param>
/// <param name="Part">Its part of the processor time, from 0 to 1.</param>
internal sealed record ProfileShare(string Name, double Part);
