namespace EventBus;

/// <summary>Tests when a spin before a wait is worthwhile.</summary>
public sealed class AdaptiveSpinTests
{
    [Fact]
    public void TrySpin_WhileItPays_SpinsEachTime()
    {
        SkipOnOneProcessor();
        var spin = default(AdaptiveSpin);

        for (var wait = 0; wait < 100; wait++)
        {
            Assert.True(spin.TrySpin());
            spin.Report(events: 8);
        }
    }

    [Fact]
    public void TrySpin_WithTooFewEvents_SpinsHalfAsOftenEachTime()
    {
        SkipOnOneProcessor();
        var spin = default(AdaptiveSpin);

        foreach (var expected in (int[])[0, 1, 2, 4, 8])
        {
            Assert.Equal(expected, WaitsUntilSpin(ref spin));
            spin.Report(events: 7);
        }
    }

    [Fact]
    public void TrySpin_WhereItNeverPays_IsTriedAgain()
    {
        SkipOnOneProcessor();
        var spin = default(AdaptiveSpin);

        for (var wait = 0; wait < 20; wait++)
        {
            Assert.InRange(WaitsUntilSpin(ref spin), 0, 4_096);
            spin.Report(events: 0);
        }
    }

    [Fact]
    public void TrySpin_OnceItPaysAgain_SpinsEachTime()
    {
        SkipOnOneProcessor();
        var spin = default(AdaptiveSpin);
        for (var wait = 0; wait < 5; wait++)
        {
            WaitsUntilSpin(ref spin);
            spin.Report(events: 0);
        }

        WaitsUntilSpin(ref spin);
        spin.Report(events: 100);

        Assert.Equal(0, WaitsUntilSpin(ref spin));
    }

    /// <summary>Returns the number of waits without a spin before the next spin.</summary>
    private static int WaitsUntilSpin(ref AdaptiveSpin spin)
    {
        var count = 0;
        while (!spin.TrySpin())
        {
            count++;
        }

        return count;
    }

    private static void SkipOnOneProcessor() => Assert.SkipWhen(Environment.ProcessorCount == 1, "On one processor there is no spinning.");
}
