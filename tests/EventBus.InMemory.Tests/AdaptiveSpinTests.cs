namespace EventBus;

/// <summary>Whether it pays to look away for a moment before one waits.</summary>
public sealed class AdaptiveSpinTests
{
    [Fact]
    public void TryLookAway_WhileItPays_EachTime()
    {
        SkipOnOneProcessor();
        var linger = default(AdaptiveSpin);

        for (var wait = 0; wait < 100; wait++)
        {
            Assert.True(linger.TrySpin());
            linger.Report(events: 8);
        }
    }

    [Fact]
    public void TryLookAway_WhereItBroughtTooLittle_HalfAsOftenEachTime()
    {
        SkipOnOneProcessor();
        var linger = default(AdaptiveSpin);

        foreach (var expected in (int[])[0, 1, 2, 4, 8])
        {
            Assert.Equal(expected, LeftOut(ref linger));
            linger.Report(events: 7);
        }
    }

    [Fact]
    public void TryLookAway_WhereItNeverPays_IsTriedAgain()
    {
        SkipOnOneProcessor();
        var linger = default(AdaptiveSpin);

        for (var wait = 0; wait < 20; wait++)
        {
            Assert.InRange(LeftOut(ref linger), 0, 4_096);
            linger.Report(events: 0);
        }
    }

    [Fact]
    public void TryLookAway_OnceItPaysAgain_EachTime()
    {
        SkipOnOneProcessor();
        var linger = default(AdaptiveSpin);
        for (var wait = 0; wait < 5; wait++)
        {
            LeftOut(ref linger);
            linger.Report(events: 0);
        }

        LeftOut(ref linger);
        linger.Report(events: 100);

        Assert.Equal(0, LeftOut(ref linger));
    }

    /// <summary>How many waits pass until one is put off.</summary>
    private static int LeftOut(ref AdaptiveSpin linger)
    {
        var count = 0;
        while (!linger.TrySpin())
        {
            count++;
        }

        return count;
    }

    private static void SkipOnOneProcessor() => Assert.SkipWhen(Environment.ProcessorCount == 1, "On one processor there is no spinning.");
}
