namespace EventBus.Load;

/// <summary>The rounds before the measured ones.</summary>
/// <param name="Rounds">Their number.</param>
/// <param name="FirstCpu">The processor time of an event in the first of them, in microseconds.</param>
/// <param name="LastCpu">The median of the last rounds.</param>
internal sealed record WarmUp(int Rounds, double FirstCpu, double LastCpu);
