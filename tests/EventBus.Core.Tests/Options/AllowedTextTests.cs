using System.ComponentModel.DataAnnotations;
using System.Text.RegularExpressions;

namespace EventBus;

/// <summary>Compares the forms of texts with the regular expressions that describe them.</summary>
public sealed class AllowedTextTests
{
    [Theory]
    [InlineData("[A-Za-z0-9._-]{1,100}")]
    [InlineData("[A-Za-z0-9._:-]{1,100}")]
    [InlineData("[a-c]{2,3}")]
    [InlineData(AllowedTextAttribute.NotBlank)]
    public void IsValid_AnyText_AgreesWithTheRegularExpression(string pattern)
    {
        var attribute = new AllowedTextAttribute(pattern, "some texts");
        var texts = Enumerable.Range(0, 0x300).Select(unit => $"a{(char)unit}b").Concat(
            Enumerable.Range(0, 0x300).Select(unit => new string((char)unit, 2))).Concat(
            ["", " ", "\n", "\u3000\t", "a\n", "ab\n", "a-b", new string('a', 100), new string('a', 101), "漢", "a]b", "{1,2}"]);

        foreach (var text in texts)
        {
            var expected = Regex.IsMatch(text, $@"\A(?:{pattern})\z", RegexOptions.CultureInvariant);
            Assert.True(IsValid(attribute, text) == expected, $"'{text}' by {pattern}");
        }

        Assert.False(IsValid(attribute, null));
    }

    [Theory]
    [InlineData("a+")]
    [InlineData("[a-z]{5}")]
    [InlineData("")]
    public void IsValid_OtherPattern_Throws(string pattern) =>
        Assert.Throws<NotSupportedException>(() => IsValid(new AllowedTextAttribute(pattern, "some texts"), "a"));

    private static bool IsValid(AllowedTextAttribute attribute, string? text) =>
        attribute.GetValidationResult(text, new ValidationContext(new object())) == ValidationResult.Success;
}
