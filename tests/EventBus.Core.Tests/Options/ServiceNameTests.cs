using System.Text.RegularExpressions;

namespace EventBus;

/// <summary>Compares the check of a text in the options with the regular expression that describes its form.</summary>
public sealed class ServiceNameTests
{
    [Fact]
    public void Validate_AnyServiceName_AgreesWithItsPattern()
    {
        var validator = new EventBusOptionsValidator();
        var texts = Enumerable.Range(0, 0x300).Select(unit => $"a{(char)unit}b").Concat(
            Enumerable.Range(0, 0x300).Select(unit => new string((char)unit, 2))).Concat(
            ["", " ", "\n", "a\n", "a-b", "-", ".", new string('a', 100), new string('a', 101), "漢", "a]b", "{1,2}"]);

        foreach (var text in texts)
        {
            var isValid = validator.Validate(null, new EventBusOptions { ServiceName = text }).Succeeded;

            Assert.True(isValid == Regex.IsMatch(text, @"\A[A-Za-z0-9._-]{1,100}\z", RegexOptions.CultureInvariant), $"'{text}'");
        }
    }
}
